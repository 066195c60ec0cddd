//! The browser's files as they are served.

use quorate::assets;

use crate::support::Running;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_names_files_that_are_there_and_may_be_kept_for_ever() {
    let console = Running::start().await;
    let html = console
        .get("/sign-in")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let names = assets::names();
    for path in [&names.style, &names.script, &names.wasm] {
        assert!(html.contains(path.as_str()), "{path}");
        let response = console
            .get(path)
            .header("accept-encoding", "br")
            .send()
            .await
            .unwrap();
        if !assets::is_built_in() {
            // This build has no site: pages are complete without scripts.
            assert_eq!(response.status(), 404, "{path}");
            continue;
        }
        assert_eq!(response.status(), 200, "{path}");
        let cache = response.headers()["cache-control"].to_str().unwrap();
        assert!(cache.contains("immutable"), "{path} {cache}");
        let tag = response.headers()["etag"].clone();
        let again = console
            .get(path)
            .header("accept-encoding", "br")
            .header("if-none-match", tag);
        assert_eq!(again.send().await.unwrap().status(), 304, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_site() {
    let console = Running::start().await;
    for name in [
        "site.json",
        "%2e%2e%2fCargo.toml",
        "..%2f..%2fCargo.toml",
        "quorate.js%00",
    ] {
        let response = console
            .get(&format!("/assets/{name}"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 404, "{name}");
    }
}
