use crate::*;
#[tokio::test]
async fn smoke() {
    let mut b = Browser::start().await;
    let t = b.open("data:text/html,<p id=x>hello</p>").await;
    b.until(&t, "document.getElementById('x')?.textContent === 'hello'").await;
    b.close().await;
    let mut r = Redis::start().await;
    r.pause(); r.resume(); r.kill(); r.start_empty().await;
}
