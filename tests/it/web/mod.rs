//! The client library in real browsers, and other people's clients, before three instances behind the shipped nginx.
//!
//! A scenario is a script of `tests/web`; [`stage`] does what a script cannot do by itself.

mod frozen;
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
    ten_tabs_open_one_connection => "share",
    a_leading_tab_that_is_closed_or_crashes_is_followed_by_another => "leader",
    a_leading_tab_that_hangs_is_deposed => "hang",
    killed_and_drained_instances_cost_no_tab_anything => "instances",
    a_redis_that_dies_and_comes_back_empty_costs_no_tab_anything => "redis",
    every_connection_is_opened_with_a_fresh_token => "tokens",
    a_token_that_ends_is_said_and_another_one_goes_on => "expired",
    cookies_and_tickets_prove_as_well_as_tokens => "proofs",
    behind_a_proxy_that_buffers_it_polls => "polling",
    what_comes_during_a_reload_is_told_once => "reload",
    a_page_from_the_back_forward_cache_goes_on => "backforward",
    what_is_refused_is_taken_back => "refused",
    what_an_application_gets_wrong_harms_no_other_tab => "careless",
    what_cannot_be_told_any_more_resets_the_list => "reset",
    over_web_sockets_the_client_keeps_its_promises => "websocket",
    the_hooks_render_what_the_client_knows => "react",
    the_npm_package_ws_speaks_with_the_web_socket => "ws",
    the_npm_package_eventsource_resumes_by_itself => "eventsource",
    the_event_source_of_the_browser_resumes_by_itself => "plain",
    python_clients_resume => "python",
    what_happens_while_offline_is_told_once_as_missed => "offline",
    toasts_go_when_their_time_is_over_unless_somebody_is_at_them => "toasts",
    what_was_missed_is_one_toast => "missed",
    of_three_hidden_tabs_one_shows_a_notification_on_the_desktop => "desktop",
    what_is_critical_is_heard_once_over_all_tabs => "sound",
    settings_are_saved_at_once_and_seen_in_every_tab => "settings",
    whatever_breaks_at_the_desk_what_it_publishes_arrives_once => "desk",
    the_counters_of_the_desk_tell_what_is_lost_and_what_comes_twice => "ledger",
    the_desk_keeps_nobody_out => "accessible",
    the_notification_centre_shows_each_item_as_what_it_is => "bell",
    the_notification_centre_is_used_by_keys_alone => "bell-keys",
    the_notification_centre_says_in_which_state_it_is => "bell-states",
    the_notification_centre_says_aloud_what_arrives => "bell-aloud",
    the_notification_centre_loads_a_long_inbox_as_it_is_scrolled => "bell-many",
    the_notification_centre_tells_the_time => "bell-time",
    mark_all_as_read_marks_what_the_page_shows => "read-all",
    another_language_keeps_an_open_notification_centre => "language",
    text_of_others_turns_nothing_around_it => "bidi",
    states_are_told_without_colours => "colours",
    the_pages_work_below_a_path => "subpath",
    what_is_refused_for_its_origin_is_said_with_the_cure => "origin",
    the_tabs_without_the_connection_say_why_there_is_none => "followers",
    a_computer_whose_clock_is_wrong_counts_by_the_time_of_the_server => "clock",
    a_clock_that_is_set_under_an_open_page_changes_no_time => "corrected",
    a_clock_that_is_set_under_an_open_page_hides_no_dead_connection => "silent",
}
