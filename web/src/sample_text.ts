/** The text that comes with the page. */
export const BUILT_IN_TEXT = {id: 'moby-dick', name: 'Moby Dick', prompt: 'The whale'};
