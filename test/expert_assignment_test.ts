import * as tf from '@tensorflow/tfjs';
import {assignExperts} from '../ops/expert_assignment';
import {describeEachBackend, expectNoLeak} from './backends';
import {withValues} from './deferred';
import {random} from './random';

/** What `assignExperts` promises, copy by copy. */
function expected(experts: number[], numExperts: number) {
  const copies = Array.from({length: numExperts}, (_, e) =>
    experts.flatMap((expert, copy) => (expert === e ? copy : [])),
  );
  const tokensPerExpert = copies.map(({length}) => length);
  let end = 0;
  return {
    indices: copies.flat(),
    binIds: copies.flatMap((ofExpert, e) => ofExpert.map(() => e)),
    bins: tokensPerExpert.map((count) => (end += count)),
    tokensPerExpert,
  };
}

describeEachBackend('assignExperts', () => {
  test.each([
    {tokens: 1, topK: 1, numExperts: 1},
    {tokens: 0, topK: 2, numExperts: 4},
    {tokens: 37, topK: 1, numExperts: 1},
    {tokens: 300, topK: 2, numExperts: 5},
    {tokens: 5000, topK: 1, numExperts: 64},
    {tokens: 2600, topK: 8, numExperts: 256},
    // More experts than one pass of a sort tells apart, and most of them empty.
    {tokens: 500, topK: 1, numExperts: 1000},
  ])('$tokens tokens, top $topK of $numExperts experts', ({tokens, topK, numExperts}) => {
    const experts = Array.from(
      random(tokens * topK, 3),
      (x) => Math.floor(((x + 1) / 2) * numExperts) % numExperts,
    );
    tf.tidy(() => {
      const choice = tf.tensor2d(experts, [tokens, topK], 'int32');
      expectNoLeak(() => tf.tidy(() => void assignExperts(choice, numExperts)));
      const assignment = assignExperts(choice, numExperts);
      expect(assignment.topK).toBe(topK);
      const {indices, binIds, bins, tokensPerExpert} = assignment;
      const wanted = expected(experts, numExperts);
      withValues([indices, binIds, bins, tokensPerExpert], (...got) => {
        const names = ['indices', 'binIds', 'bins', 'tokensPerExpert'] as const;
        names.forEach((name, i) => {
          expect({name, values: Array.from(got[i])}).toEqual({name, values: wanted[name]});
        });
      });
    });
  });
});
