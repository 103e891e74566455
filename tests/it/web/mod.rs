//! The client library in real browsers, and other people's clients, before three instances behind the shipped nginx.
//!
//! A scenario is a script of `tests/web`; [`stage`] carries out what a script cannot do by itself.

mod stage;

/// A test for each script.
macro_rules! scenarios {
    ($($promise:ident => $script:literal,)*) => {
        $(#[tokio::test]
        async fn $promise() {
            stage::play($script).await;
        })*
    };
}

scenarios! {
    the_list_and_the_badge_are_those_of_the_server => "list",
    two_tabs_and_two_browsers_agree => "agree",
}
