"""What axe-core finds wrong with a page, for people who cannot see it, or use no mouse."""

from pathlib import Path

from tests.servers.chromium import Chromium


def find_faults(browser: Chromium, axe: Path) -> list[str]:
    """The rules that the page breaks, with the elements; all rules of axe-core are applied, best practices included.

    :param axe: The file ``axe.min.js``.
    """
    browser.wait_for("document.readyState === 'complete'")
    if not browser.evaluate("'axe' in window"):
        browser.evaluate(axe.read_text(encoding="utf-8") + "; 1")
    found = browser.evaluate(
        "axe.run(document).then(found => ({rules: found.passes.length, faults: found.violations.map("
        "fault => fault.id + ': ' + fault.nodes.map(node => node.html + ' ' + node.failureSummary).join('; '))}))"
    )
    assert found["rules"] > 5, "axe-core did not run"
    return [str(fault) for fault in found["faults"]]
