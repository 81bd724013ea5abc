/** The file of the ops; it is there once they are built. */
export declare const ADDON: string;
export declare function loadNative(): {
  package: string;
  version: string;
  devices: ('CPU' | 'GPU')[];
  instructions: string;
  threads: number;
  cuda?: {
    version: string;
    stream: 'tensorflow' | 'device';
    gpus: string[];
    problem?: string;
  };
};
