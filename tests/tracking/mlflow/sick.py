"""A client of MLflow that fails when a test says so."""

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST


class Sick:
    """MLflow's client, which fails at the n-th call: before it does its work, or after it."""

    def __init__(self, client, n, when):
        self._client, self._n, self._when, self.calls = client, n, when, 0

    def __getattr__(self, name):
        call = getattr(self._client, name)

        def failing(*arguments, **options):
            self.calls += 1
            is_now = self.calls == self._n
            if is_now and self._when == "before":
                raise ConnectionResetError("connection reset")
            if is_now and self._when == "collision":
                raise MlflowException("UNIQUE constraint failed", error_code=BAD_REQUEST)
            done = call(*arguments, **options)
            if is_now:
                raise ConnectionResetError("the answer was lost")
            return done

        return failing


class Refusing:
    """MLflow's client, whose calls of some names do what a test says instead."""

    def __init__(self, client, **calls):
        self._client, self._calls = client, calls

    def __getattr__(self, name):
        return self._calls.get(name) or getattr(self._client, name)
