use proptest::prelude::*;

use super::*;

#[test]
fn groups_of_one_length_are_all_taken_or_none() {
    // Three pairs of groups of two, two groups of three (three pairs each), one of five (ten).
    let one = [0, 0, 2, 1, 0, 1];
    let other = [0, 0, 1, 1];
    for (pairs_max, longest) in [
        (0, 1),
        (2, 1),
        (3, 2),
        (8, 2),
        (9, 4),
        (18, 4),
        (19, 5),
        (1_000, 5),
    ] {
        let taken = largest_within(&[&one, &other], pairs_max);
        assert_eq!(taken, longest, "{pairs_max}");
        let made = pairs_up_to(&one, taken) + pairs_up_to(&other, taken);
        assert!(made <= pairs_max, "{made} of {pairs_max}");
    }
    assert_eq!(largest_within(&[], 10), 0);
}

proptest! {
    /// Every group is found again by its key, whole, and no other key is taken for one.
    #[test]
    fn groups_are_found_by_their_keys(
        lens in prop::collection::vec((any::<u64>(), 2_usize..5, 0_usize..3), 0..60),
        others in prop::collection::vec(any::<u64>(), 20),
    ) {
        let mut parts = [(); 3].map(|()| Groups::default());
        for (number, &(key, len, part)) in lens.iter().enumerate() {
            let groups = &mut parts[part];
            let from = groups.nodes.len();
            groups.nodes.extend(std::iter::repeat_n(number as u32, len));
            groups.bounds.push((key, from, from + len));
        }
        let blocks = RefinedBlocks::of(&parts);
        prop_assert_eq!(blocks.len(), lens.len());
        for (part, groups) in parts.iter().enumerate() {
            prop_assert_eq!(blocks.uses(part), !groups.bounds.is_empty());
        }
        for index in 0..blocks.len() {
            let (key, nodes) = blocks.get(index);
            let (own_key, len, _) = lens[nodes[0] as usize];
            prop_assert_eq!((key, nodes.len()), (own_key, len));
            prop_assert!(nodes.iter().all(|node| *node == nodes[0]));
        }
        for other in others {
            let is_one = lens.iter().any(|(key, ..)| *key == other);
            prop_assert_eq!(blocks.contains(other), is_one);
        }
        for (key, ..) in &lens {
            prop_assert!(blocks.contains(*key));
        }
    }
}
