"""Train, evaluate and save a network with the Python API alone: no Hydra, no MLflow."""

from pathlib import Path

from digit_exp import (
    Adam,
    EarlyStopping,
    Mnist,
    ModelCheckpoint,
    NetworkBuilder,
    Progress,
    Rng,
    Trainer,
    load_network,
    save_network,
    train_val_split,
)


def main(models: Path = Path("models"), epochs: int = 50) -> float:
    """Train on MNIST and return the accuracy on the test set."""
    dataset = Mnist().load()
    train, val = train_val_split(dataset.train, val_ratio=0.1, rng=Rng(42)("split"))
    print(f"{len(train):,} training, {len(val):,} validation, {len(dataset.test):,} test images")

    network = (
        NetworkBuilder()
        .input(784)
        .dense(128, activation="relu")
        .dense(64, activation="relu")
        .dense(10, activation="softmax")
        .build(seed=42)
    )
    print(network.summary())

    trainer = Trainer(
        network,
        Adam(lr=0.001),
        epochs=epochs,
        batch_size=32,
        callbacks=[
            EarlyStopping("val_acc", patience=5),
            ModelCheckpoint(models / "best_model.npz", monitor="val_acc"),
            Progress(epochs),
        ],
    )
    state = trainer.fit(train, val)
    print(f"stopped after epoch {state.epoch}: {state.stop_reason}")

    loss, accuracy = trainer.evaluate(dataset.test)
    print(f"test loss {loss:.4f}, test accuracy {accuracy:.2%}")

    save_network(models / "final_model.npz", network)
    again = load_network(models / "final_model.npz")
    print("first test digit:", again.predict(dataset.test.images[:1])[0])
    return accuracy


if __name__ == "__main__":
    main()
