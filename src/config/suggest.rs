//! "Did you mean": the known word that is nearest to a wrong one.

/// The candidate that is most likely meant, if any is near enough.
pub(crate) fn nearest<'word>(wrong: &str, candidates: impl IntoIterator<Item = &'word str>) -> Option<&'word str> {
    let plain = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let wrong: Vec<char> = plain(wrong);
    // A third of the word may be wrong; with more, the suggestion is a guess.
    let limit = (wrong.len() / 3).max(1);
    let near = candidates.into_iter().filter_map(|candidate| {
        let word: Vec<char> = plain(candidate);
        if word.len().abs_diff(wrong.len()) > limit || word.len() <= limit {
            return None;
        }
        let distance = distance(&wrong, &word);
        (distance <= limit).then_some((distance, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour to make one word of the other
/// (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &letter) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &other) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(letter != other)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && letter == b[j - 1] && a[i - 1] == other {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested_and_a_far_one_is_not() {
        let words = ["delivery", "engine", "enabled", "name", "namespace", "min-age", "uid", "ca"];
        for (wrong, meant) in [
            ("delivry", Some("delivery")),
            ("Engine", Some("engine")),
            ("enigne", Some("engine")),
            ("enable", Some("enabled")),
            ("nmae", Some("name")),
            ("minAge", Some("min-age")),
            ("udi", Some("uid")),
            ("namespaces", Some("namespace")),
            ("x", None),
            ("color", None),
            ("", None),
            ("id", Some("uid")),
        ] {
            assert_eq!(nearest(wrong, words), meant, "{wrong}");
        }
    }
}
