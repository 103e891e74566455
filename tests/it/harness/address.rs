//! An address that moves from one server to another, as that of a primary does.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Forwards every new connection to the server that has the address now. Open connections stay with the server that they were made to.
pub struct Address {
    port: u16,
    target: watch::Sender<u16>,
}

impl Address {
    pub async fn of(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (target, current) = watch::channel(target);
        tokio::spawn(async move {
            while let Ok((mut inner, _)) = listener.accept().await {
                let target = *current.borrow();
                tokio::spawn(async move {
                    // Nobody listens there while the server is down: the connection ends.
                    if let Ok(mut outer) = TcpStream::connect(("127.0.0.1", target)).await {
                        let _ = copy_bidirectional(&mut inner, &mut outer).await;
                    }
                });
            }
        });
        Self { port, target }
    }

    pub fn move_to(&self, target: u16) {
        self.target.send_replace(target);
    }

    /// The Redis behind it.
    pub fn redis(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The database behind it.
    pub fn url(&self) -> String {
        format!("postgres://tidings@127.0.0.1:{}/tidings", self.port)
    }
}
