export declare function loadNative(): {
  package: string;
  version: string;
  devices: ('CPU' | 'GPU')[];
  instructions: string;
  threads: number;
};
