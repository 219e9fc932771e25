//! Some values of the same thing.

use std::time::Duration;

use serde::Serialize;

/// Values of one quantity, in the order in which they were measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Series {
    /// The values.
    pub values: Vec<f64>,
}

impl Series {
    /// Adds a time, in milliseconds.
    pub fn add_ms(&mut self, time: Duration) {
        self.values.push((time.as_secs_f64() * 1e6).round() / 1e3);
    }

    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        self.values.push(value);
    }

    /// The middle value; of two, the greater one, so that nothing looks better than it was.
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// The greatest value.
    pub fn worst(&self) -> Option<f64> {
        self.values.iter().copied().max_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_worst_are_of_all_values() {
        let series = Series { values: vec![3.0, 1.0, 9.0, 2.0] };
        assert_eq!((series.median(), series.worst()), (Some(3.0), Some(9.0)));
        assert_eq!(Series::default().median(), None);
        let mut one = Series::default();
        one.add_ms(Duration::from_micros(1500));
        assert_eq!(one.median(), Some(1.5));
    }
}
