"""Optimizers, schedules, regularizers and the weight average: functions of flat vectors."""
