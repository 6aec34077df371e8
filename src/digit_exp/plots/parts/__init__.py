"""What all figures share: sheets and styles, axes, numbers on axes, mosaics of images."""
