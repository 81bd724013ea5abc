/** Asks a run to end early, between two steps. */
export class StopRequest {
  private text?: string;

  /** Why the run should end; the first reason stands. Undefined while it should not. */
  get reason(): string | undefined {
    return this.text;
  }

  request(reason: string) {
    this.text ??= reason;
  }
}
