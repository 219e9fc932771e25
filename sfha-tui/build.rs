//! `fl!` reads the catalogues while it is expanded, which cargo cannot see.

fn main() {
    for path in ["i18n.toml", "../i18n", "../i18n/fr/sfha_tui.ftl", "../i18n/en/sfha_tui.ftl"] {
        println!("cargo:rerun-if-changed={path}");
    }
}
