"""One line a delivery, a refused read, a note and a remark; no text breaks a line."""

from __future__ import annotations

import pytest
from structlog.testing import CapturingLogger

from flux_secret.audit import log
from flux_secret.cli.logformat import logfmt
from flux_secret.model.delivery import Delivery, Remark
from flux_secret.model.giturl import GitUrl
from flux_secret.model.target import Source, Target


async def test_a_remark_of_several_lines_is_one_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged = CapturingLogger()
    monkeypatch.setattr(log, "_log", logged)
    delivery = Delivery(Target(Source(GitUrl.parse("file:///ops"), "main"), "demo"))
    delivery.remarks.append(Remark("`kustomize build .`", "first\nlevel=error msg=forged"))
    await log.LogAuditor().record(delivery)
    remark, _finished = logged.calls
    line = logfmt(None, remark.method_name, remark.kwargs)
    assert line.startswith('target=demo about="`kustomize build .`" says="first\\nlevel=error')
    assert "\n" not in line
