//! "Did you mean": the known name nearest to a misspelt one.

/// The nearest of `names`, when it is near enough to be what was meant: at most one edit in three characters.
pub(crate) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + written.chars().count() / 3;
    names
        .into_iter()
        .map(|name| (distance(&written.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// How many insertions, deletions, replacements and swaps of neighbours lead from one to the other. What is longer
/// than any name of ours counts as far, so that a file of megabyte-long keys takes no time.
fn distance(one: &str, other: &str) -> usize {
    const LONGEST: usize = 64;
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().max(other.len()) > LONGEST {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for row in 1..=one.len() {
        let mut line = vec![row];
        for column in 1..=other.len() {
            let differs = usize::from(one[row - 1] != other[column - 1]);
            let mut edits = (above[column] + 1).min(line[column - 1] + 1).min(above[column - 1] + differs);
            if row > 1 && column > 1 && one[row - 1] == other[column - 2] && one[row - 2] == other[column - 1]
            {
                edits = edits.min(before[column - 2] + 1);
            }
            line.push(edits);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, expected: Option<&str>) {
        assert_eq!(
            nearest(written, ["http", "https", "rtmp", "control", "max_connections"]),
            expected,
            "{written}"
        );
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        check("htpp", Some("http"));
        check("htps", Some("https"));
        check("HTTP", Some("http"));
        check("contorl", Some("control"));
        check("max_connection", Some("max_connections"));
    }

    #[test]
    fn another_word_finds_none() {
        check("port", None);
        check("certificate", None);
        check("", None);
        check(&"x".repeat(1_000_000), None);
    }
}
