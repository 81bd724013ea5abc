/** The backends that the page knows. */
export type BackendName = 'webgpu' | 'webgl' | 'wasm' | 'cpu';

export const BACKEND_LABELS: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'WebAssembly',
  cpu: 'JavaScript',
};

/** What a backend is on this machine. */
export interface BackendReport {
  name: BackendName;
  /** What its GPU calls itself. */
  device?: string;
  /** Whether that is a driver that computes on the CPU. */
  software?: boolean;
  /** Why it cannot be used. */
  missing?: string;
}

/** A backend, and why it is the one. */
export interface BackendInUse {
  name: BackendName;
  reason: string;
}

/** The fastest backend that is there and is no software in disguise; the reason says why it is not a faster one. */
export function chooseBackend(reports: readonly BackendReport[]): BackendInUse | undefined {
  const chosen = reports.find(({missing, software}) => missing == null && !software);
  if (chosen == null) {
    return undefined;
  }
  const faster = reports.slice(0, reports.indexOf(chosen)).map(({name, missing, device}) => {
    const label = BACKEND_LABELS[name];
    return missing != null
      ? `${label}: ${missing}`
      : `${label}: ${device} is software, which is slower`;
  });
  const label = BACKEND_LABELS[chosen.name];
  const what =
    chosen.device == null ? `${label}, which is in every browser` : `${label} on ${chosen.device}`;
  return {name: chosen.name, reason: [what, ...faster].join('. ') + '.'};
}
