/** What stands where the results will be. */
export function Introduction() {
  return (
    <section class="card introduction">
      <h2>Many small experts instead of one large layer</h2>
      <p>
        A mixture of experts sends each token to the few feed-forward networks that a router picks
        for it. This page trains one on a text of your choice and shows it at work.
      </p>
      <ol>
        <li>
          <b>Choose</b> a text and a model, and press <b>Train</b>.
        </li>
        <li>
          <b>Watch</b> the loss fall, and the router share the tokens out among the experts.
        </li>
        <li>
          <b>Compare</b> runs: a dropless mixture, one with a capacity, and a dense model of the
          same cost.
        </li>
      </ol>
    </section>
  );
}
