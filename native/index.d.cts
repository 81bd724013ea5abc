declare const native: {
  package: string;
  version: string;
  devices: ('CPU' | 'GPU')[];
  instructions: string;
  threads: number;
};
export = native;
