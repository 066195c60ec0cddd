//! Pure parts, on made-up answers.
