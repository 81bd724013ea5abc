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
