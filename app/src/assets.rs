//! Where the built files are; the server says so, because their names may carry a hash.

/// Paths below the base path, each with a leading slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    /// All of `style/` in one file.
    pub style: String,
    /// What wasm-bindgen wrote; exports the initialiser and `hydrate`.
    pub script: String,
    pub wasm: String,
    pub icon: String,
    pub manifest: String,
}

impl Assets {
    /// Tells one build of the browser's side from another.
    #[must_use]
    pub fn build(&self) -> &str {
        &self.script
    }
}

impl Default for Assets {
    fn default() -> Self {
        Self {
            style: "/assets/quorate.css".to_owned(),
            script: "/assets/quorate.js".to_owned(),
            wasm: "/assets/quorate_bg.wasm".to_owned(),
            icon: "/assets/icon.svg".to_owned(),
            manifest: "/assets/manifest.webmanifest".to_owned(),
        }
    }
}
