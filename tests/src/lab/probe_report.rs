//! What a series of probes says about an address: when it was silent, and who answered.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::address::node_of_mac;

/// Times in a report are written as milliseconds with a fraction.
pub(crate) fn as_ms<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_micros() as f64 / 1000.0)
}

fn as_optional_ms<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => as_ms(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// One echo request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    /// When it was sent, since the prober's start.
    pub(crate) sent: Duration,
    pub(crate) answer: Option<Answer>,
}

/// The first answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// When the client's network card had it, since the prober's start.
    pub(crate) at: Duration,
    pub(crate) mac: [u8; 6],
}

/// A time without any answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// The last answer before it, since the prober's start.
    #[serde(serialize_with = "as_ms", rename = "from_ms")]
    pub from: Duration,
    /// To the next answer, or to the end of the probing.
    #[serde(serialize_with = "as_ms", rename = "length_ms")]
    pub length: Duration,
    /// How many requests sent in this time were never answered.
    pub lost: usize,
    /// Whether an answer came after it.
    pub ended: bool,
}

/// Consecutive answers of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerRun {
    /// The node, counted from 0; `None` for a hardware address that is no node's.
    pub node: Option<usize>,
    /// The first of the answers, since the prober's start.
    #[serde(serialize_with = "as_ms", rename = "from_ms")]
    pub from: Duration,
    /// The last of them.
    #[serde(serialize_with = "as_ms", rename = "until_ms")]
    pub until: Duration,
    /// How many.
    pub answers: usize,
}

/// The result of probing one address from the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeReport {
    /// Requests sent since the address first answered, that one included.
    pub sent: usize,
    /// How many of them were answered.
    pub answered: usize,
    /// How many were not.
    pub lost: usize,
    /// From the prober's start to the first answer; `None` when there never was one.
    #[serde(serialize_with = "as_optional_ms", rename = "first_answer_ms")]
    pub first_answer: Option<Duration>,
    /// The longest silence after the first answer; without any answer, the whole time.
    #[serde(serialize_with = "as_ms", rename = "gap_ms")]
    pub gap: Duration,
    /// Every silence in which a request was lost, in order.
    pub silences: Vec<Silence>,
    /// Who answered, in order.
    pub runs: Vec<AnswerRun>,
    /// The prober's own unsteadiness: a `gap` near this value says nothing about the cluster.
    #[serde(serialize_with = "as_ms", rename = "longest_send_pause_ms")]
    pub longest_send_pause: Duration,
}

impl ProbeReport {
    pub(crate) fn new(probes: &[Probe], end: Duration) -> Self {
        let mut answers: Vec<Answer> = probes.iter().filter_map(|probe| probe.answer).collect();
        answers.sort_by_key(|answer| answer.at);
        let first = probes.iter().position(|probe| probe.answer.is_some()).unwrap_or(probes.len());
        let counted = &probes[first..];
        let all = silences(&answers, counted, end);
        Self {
            sent: counted.len(),
            answered: answers.len(),
            lost: counted.len() - answers.len(),
            first_answer: answers.first().map(|answer| answer.at),
            gap: all.iter().map(|silence| silence.length).max().unwrap_or(end),
            silences: all.into_iter().filter(|silence| silence.lost > 0).collect(),
            runs: runs(&answers),
            longest_send_pause: probes
                .windows(2)
                .map(|pair| pair[1].sent.saturating_sub(pair[0].sent))
                .max()
                .unwrap_or_default(),
        }
    }

    /// The nodes that answered at all, in ascending order.
    pub fn nodes(&self) -> Vec<usize> {
        let mut nodes: Vec<_> = self.runs.iter().filter_map(|run| run.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// The node that answered last.
    pub fn last_node(&self) -> Option<usize> {
        self.runs.last().and_then(|run| run.node)
    }
}

fn silences(answers: &[Answer], probes: &[Probe], end: Duration) -> Vec<Silence> {
    let ends = answers.iter().skip(1).map(|answer| (answer.at, true)).chain([(end, false)]);
    let mut lost: Vec<Duration> =
        probes.iter().filter(|probe| probe.answer.is_none()).map(|probe| probe.sent).collect();
    lost.sort();
    let lost_before = |time: Duration| lost.partition_point(|sent| *sent < time);
    answers
        .iter()
        .zip(ends)
        .map(|(answer, (until, ended))| Silence {
            from: answer.at,
            length: until.saturating_sub(answer.at),
            lost: lost_before(until).saturating_sub(lost_before(answer.at)),
            ended,
        })
        .collect()
}

fn runs(answers: &[Answer]) -> Vec<AnswerRun> {
    let mut runs: Vec<AnswerRun> = Vec::new();
    for answer in answers {
        let node = node_of_mac(answer.mac);
        match runs.last_mut().filter(|run| run.node == node) {
            Some(run) => {
                run.until = answer.at;
                run.answers += 1;
            }
            None => runs.push(AnswerRun { node, from: answer.at, until: answer.at, answers: 1 }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::address::mac;
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn probe(sent: u64, answer: Option<(u64, u8)>) -> Probe {
        let answer = answer.map(|(at, host)| Answer { at: ms(at), mac: mac(host) });
        Probe { sent: ms(sent), answer }
    }

    #[test]
    fn a_move_is_one_silence_between_two_nodes() {
        let probes = [
            probe(0, None),
            probe(10, Some((11, 1))),
            probe(20, Some((21, 1))),
            probe(30, None),
            probe(40, None),
            probe(50, Some((51, 2))),
        ];
        let report = ProbeReport::new(&probes, ms(55));
        assert_eq!((report.sent, report.answered, report.lost), (5, 3, 2));
        assert_eq!(report.first_answer, Some(ms(11)));
        assert_eq!(report.gap, ms(30));
        assert_eq!(report.silences, [Silence { from: ms(21), length: ms(30), lost: 2, ended: true }]);
        assert_eq!(report.nodes(), [0, 1]);
        assert_eq!(report.last_node(), Some(1));
    }

    #[test]
    fn a_silence_that_lasts_to_the_end_counts() {
        let probes = [probe(0, Some((1, 1))), probe(10, None), probe(500, None)];
        let report = ProbeReport::new(&probes, ms(900));
        assert_eq!(report.gap, ms(899));
        assert!(!report.silences[0].ended);
    }

    #[test]
    fn an_address_that_never_answers_is_silent_all_the_time() {
        let report = ProbeReport::new(&[probe(0, None)], ms(70));
        assert_eq!((report.gap, report.first_answer, report.sent), (ms(70), None, 0));
    }

    #[test]
    fn a_prober_that_slept_loses_nothing() {
        let probes = [probe(0, Some((1, 1))), probe(80, Some((81, 1)))];
        let report = ProbeReport::new(&probes, ms(82));
        assert!(report.silences.is_empty());
        assert_eq!((report.gap, report.longest_send_pause), (ms(80), ms(80)));
    }
}
