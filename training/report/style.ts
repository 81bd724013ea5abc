/** What all charts of a report share. */
/** Without quotes, since it goes into attributes. */
export const FONT = 'ui-sans-serif, system-ui, Helvetica, Arial, sans-serif';
export const INK = '#1f2933';
export const FAINT = '#616e7c';
export const RULE = '#e4e7eb';
/** A colour a model; they are told apart without colour vision too. */
export const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#1f2933'];
