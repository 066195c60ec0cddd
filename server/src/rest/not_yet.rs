//! Calls of later versions: known, and answered as such.

use axum::routing::{get, post};

use crate::{guards::problems::Fault, router::Route};

pub fn routes() -> [Route; 3] {
    [
        Route::get("/clusters/{name}/history", get(answer)),
        Route::post("/changes/{id}/pause", post(answer)),
        Route::post("/changes/{id}/resume", post(answer)),
    ]
}

async fn answer() -> Fault {
    Fault::not_in_this_version()
}
