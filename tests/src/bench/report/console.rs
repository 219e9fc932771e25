//! The series of the console while it is open: of each size of cluster and each view the same.

/// Sizes of cluster in the names of series, and what they are.
const CLUSTERS: [(&str, &str); 2] = [("small", "3 nodes"), ("large", "16 nodes")];

const VIEWS: [&str; 3] = ["overview", "mesh", "resources"];

/// What a console costs: name, words, unit; and what it may cost while little happens and while much does in a
/// large cluster, where that is promised.
const COSTS: [(&str, &str, f64, Option<f64>); 2] =
    [("cpu", "share of a core, %", 1.0, Some(5.0)), ("bytes", "bytes a second", 2048.0, None)];

/// A series, what it is, and the most that its worst run may be.
pub(super) struct Row {
    pub name: String,
    pub what: String,
    pub limit: Option<f64>,
}

/// All of them, in the order of the table.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    let views = CLUSTERS.iter().flat_map(|cluster| VIEWS.iter().map(move |view| (cluster, view)));
    views.flat_map(|((size, nodes), view)| {
        let row =
            |pace: &str, happens: &str, (name, unit, idle, busy): &(&str, &str, f64, Option<f64>)| Row {
                name: format!("{pace}_{name}_{size}_{view}"),
                what: format!("console, {nodes}, {view}, {happens}: {unit}"),
                limit: if pace == "idle" { Some(*idle) } else { busy.filter(|_| *size == "large") },
            };
        let idle = COSTS.iter().map(|cost| row("idle", "little happens", cost));
        let busy = COSTS.iter().map(|cost| row("busy", "ten states a second", cost));
        idle.chain(busy).collect::<Vec<_>>()
    })
}
