//! Planted defect of the links: the test shows the broken rule with the defect, and that it holds without.

use super::*;
use crate::defect::Defect;

#[tokio::test]
async fn a_frame_that_arrives_twice() {
    let mut second = Vec::new();
    for defect in [Some(Defect::LinkRepeatsFrames), None] {
        let (listener, address) = listen().await;
        let peers = peers(address);
        let (_accepting, received) = accept(listener, peers.clone());
        let mut links = dial(&peers).with_defect(defect);
        send(&mut links, message(1, 2, 1)).await;
        send(&mut links, message(1, 2, 2)).await;
        receive(&received).await;
        second.push(receive(&received).await.1);
    }
    assert_eq!(second, [message(1, 2, 1), message(1, 2, 2)]);
}
