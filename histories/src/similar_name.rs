//! Names that may be meant by one that is not known.

/// Returns the known name that is most similar to `word`, if any is similar enough to be meant.
pub fn similar_name<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Least similarity of names of which one may be meant (Jaro and Winkler), from 0 to 1.
    const SIMILAR: f64 = 0.8;
    // In short words, a letter that is missing or too many counts too much there.
    let is_slip = |name| word.len() > 1 && strsim::damerau_levenshtein(word, name) == 1;
    let rate = |name| if is_slip(name) { 1.0 } else { strsim::jaro_winkler(word, name) };
    let rated = known.into_iter().map(|name| (rate(name), name));
    let closest = rated.filter(|(similarity, _)| *similarity >= SIMILAR).max_by(|one, other| one.0.total_cmp(&other.0));
    closest.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::similar_name;

    #[test]
    fn only_a_similar_name_is_offered() {
        let known = ["kill", "pause", "partition"];
        assert_eq!(similar_name("partitoin", known), Some("partition"));
        assert_eq!(similar_name("kil", known), Some("kill"));
        assert_eq!(similar_name("rn", ["run", "report"]), Some("run"));
        assert_eq!(similar_name("nothing", known), None);
        assert_eq!(similar_name("x", known), None);
    }
}
