//! `fl!` reads the catalogues while it is expanded, which cargo cannot see.

fn main() {
    for path in ["i18n.toml", "../i18n/fr/sfha_tests.ftl", "../i18n/en/sfha_tests.ftl"] {
        println!("cargo:rerun-if-changed={path}");
    }
}
