import type {EChartsOption} from 'echarts';
import {useEffect, useRef} from 'preact/hooks';
import {init} from '../charts/echarts';

interface Props {
  option: EChartsOption;
  /** In CSS pixels. */
  height: number;
  /** What the picture shows, for those who do not see it. */
  label: string;
}

type Drawing = ReturnType<typeof init>;

/** A chart as wide as there is room; it is drawn once a frame at most. */
export function Chart({option, height, label}: Props) {
  const element = useRef<HTMLDivElement>(null);
  const chart = useRef<Drawing>(null);

  useEffect(() => {
    const drawing = init(element.current!);
    chart.current = drawing;
    const observer = new ResizeObserver(() => drawing.resize());
    observer.observe(element.current!);
    return () => {
      observer.disconnect();
      drawing.dispose();
    };
  }, []);

  useEffect(() => {
    const frame = requestAnimationFrame(() => chart.current!.setOption(option, {notMerge: true}));
    return () => cancelAnimationFrame(frame);
  }, [option]);

  return (
    <div
      ref={element}
      class="chart"
      style={{height: `${height}px`}}
      role="img"
      aria-label={label}
    />
  );
}
