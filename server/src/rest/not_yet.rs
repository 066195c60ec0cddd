//! Calls of later versions: known, and answered as such.

use axum::routing::post;

use crate::{guards::problems::Fault, router::Route};

pub fn routes() -> [Route; 2] {
    [
        Route::post("/changes/{id}/pause", post(answer)),
        Route::post("/changes/{id}/resume", post(answer)),
    ]
}

async fn answer() -> Fault {
    Fault::not_in_this_version()
}
