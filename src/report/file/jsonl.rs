//! The lines of `--format json`, in a file: `--report jsonl=FILE`.

use crate::report::json;
use crate::report::matrix::Matrix;

/// The document's text: a line for each claim on each column, in the order of the specs, and one for the run.
pub(super) fn document(matrix: &Matrix) -> String {
    let mut lines = Vec::new();
    for row in &matrix.rows {
        for (column, cell) in matrix.columns.iter().zip(&row.cells) {
            lines.extend(cell.as_ref().map(|cell| json::test(row, column, cell)));
        }
    }
    lines.push(json::summary(&matrix.summary, matrix.took));
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::file::sample;

    #[test]
    fn each_line_is_an_object() {
        let text = document(&sample::hostile());
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 12);
        let outcomes: Vec<_> = lines.iter().filter_map(|line| line["outcome"].as_str()).collect();
        let expected = [
            "passed",
            "failed",
            "passed",
            "broken",
            "broken",
            "crashed",
            "skipped",
            "skipped",
            "not_measured",
        ];
        assert_eq!(outcomes[..9], expected);
        assert_eq!(
            lines[0]["name"],
            "pid/one:: - # Subtest: KTAP version 1 ::holds # SKIP not at all [native on 6.1.0-55]"
        );
        assert_eq!(
            (&lines[0]["spec"]["kernel"], &lines[6]["need"]),
            (&Value::from("6.1.0-55"), &Value::from("kernel >= 6.7"))
        );
        assert_eq!(
            (&lines[11]["type"], &lines[11]["counts"]["crashed"]),
            (&Value::from("summary"), &Value::from(1))
        );
    }
}
