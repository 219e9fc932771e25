//! Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
//!
//! Our own, since all of it is put together anew for each question: a library of counters that live on would have
//! to be told of every VIP and peer that is gone.

use std::fmt::Write as _;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Goes up and down.
    Gauge,
    /// Goes up only, until the daemon starts anew.
    Counter,
}

/// The text so far.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// Begins a family: what follows under that name belongs to it. One without a sample is left out.
    pub fn family<L: AsRef<[(&'static str, String)]>>(
        &mut self,
        name: &str,
        kind: Type,
        help: &str,
        samples: impl IntoIterator<Item = (L, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.head(name, if kind == Type::Gauge { "gauge" } else { "counter" }, help);
        for (labels, value) in samples {
            self.sample(name, labels.as_ref(), value);
        }
    }

    /// One number without labels.
    pub fn one(&mut self, name: &str, kind: Type, help: &str, value: f64) {
        self.family(name, kind, help, [([], value)]);
    }

    /// Histograms: labels, counts of each bucket alone (the last has no end), and the sum.
    pub fn histogram(&mut self, name: &str, help: &str, ends: &[f64], of: &[(Labels, Vec<u64>, f64)]) {
        self.head(name, "histogram", help);
        for (labels, counts, sum) in of {
            let mut so_far = 0;
            for (index, count) in counts.iter().enumerate() {
                so_far += count;
                let end = ends.get(index).map_or_else(|| "+Inf".to_owned(), |end| number(*end));
                let mut labels = labels.clone();
                labels.push(("le", end));
                self.sample(&format!("{name}_bucket"), &labels, so_far as f64);
            }
            self.sample(&format!("{name}_sum"), labels, *sum);
            self.sample(&format!("{name}_count"), labels, so_far as f64);
        }
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&'static str, String)], value: f64) {
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            self.0.push(if index == 0 { '{' } else { ',' });
            let _ = write!(self.0, "{label}=\"");
            for letter in value.chars() {
                match letter {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {}", number(value));
    }
}

/// Labels of a sample.
pub type Labels = Vec<(&'static str, String)>;

fn number(value: f64) -> String {
    if value.is_nan() { "NaN".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_their_labels_escaped_and_histograms_count_up() {
        let mut text = Text::default();
        text.one("up", Type::Gauge, "Up.", 1.0);
        text.family("none", Type::Gauge, "None.", Vec::<(Labels, f64)>::new());
        let odd = vec![("a", "x\"y\\z\n".to_owned()), ("b", "é".to_owned())];
        text.family("odd_total", Type::Counter, "Odd.", [(odd, 0.25)]);
        let of = [(vec![("reason", "loss".to_owned())], vec![1, 0, 2], 3.5)];
        text.histogram("t_seconds", "T.", &[0.5, 1.0], &of);
        let wanted = "# HELP up Up.\n# TYPE up gauge\nup 1\n\
            # HELP odd_total Odd.\n# TYPE odd_total counter\nodd_total{a=\"x\\\"y\\\\z\\n\",b=\"é\"} 0.25\n\
            # HELP t_seconds T.\n# TYPE t_seconds histogram\n\
            t_seconds_bucket{reason=\"loss\",le=\"0.5\"} 1\nt_seconds_bucket{reason=\"loss\",le=\"1\"} 1\n\
            t_seconds_bucket{reason=\"loss\",le=\"+Inf\"} 3\nt_seconds_sum{reason=\"loss\"} 3.5\n\
            t_seconds_count{reason=\"loss\"} 3\n";
        assert_eq!(text.finish(), wanted);
    }
}
