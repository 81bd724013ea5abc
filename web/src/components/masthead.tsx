/** The name of the page. */
export function Masthead() {
  return (
    <header class="masthead">
      <img src="./icon.svg" alt="" width="36" height="36" />
      <div>
        <h1>MegaBlocks for TensorFlow.js</h1>
        <p>Train a language model with a mixture of experts, in this page.</p>
      </div>
    </header>
  );
}
