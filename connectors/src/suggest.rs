//! "Did you mean": among several names, the one nearest to a mistyped one.

/// The candidate that is at most a third of the name away from it, as ` (did you mean `x`?)`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let nearest = candidates.into_iter().map(|candidate| (distance(name, candidate), candidate)).min();
    match nearest {
        Some((edits, candidate)) if edits <= name.chars().count().div_ceil(3) => {
            format!(" (did you mean `{candidate}`?)")
        }
        _ => String::new(),
    }
}

/// How many letters must be added, dropped or changed; capitals, `_` and `-` do not count.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        text.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
    };
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let edits = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], edits);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let suggest = |name| did_you_mean(name, ["price", "date_time", "auction"]);
        assert_eq!(suggest("prise"), " (did you mean `price`?)");
        assert_eq!(suggest("dateTime"), " (did you mean `date_time`?)");
        assert_eq!(suggest("auctoin"), " (did you mean `auction`?)");
        assert_eq!(suggest("bidder"), "");
    }
}
