/** Asks a run to end early, between two steps. */
export class StopRequest {
  private text?: string;
  private limit?: {time: number; reason: string};

  /** Why the run should end; the first reason stands. Undefined while it should not. */
  get reason(): string | undefined {
    if (this.limit != null && performance.now() >= this.limit.time) {
      this.text ??= this.limit.reason;
    }
    return this.text;
  }

  request(reason: string) {
    this.text = this.reason ?? reason;
  }

  /** Asks for it once so many milliseconds are over. No timer runs: a program that is done ends before. */
  requestAfter(milliseconds: number, reason: string) {
    this.limit = {time: performance.now() + milliseconds, reason};
  }
}
