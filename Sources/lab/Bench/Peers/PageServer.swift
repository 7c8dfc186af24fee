extension PeerScripts {
    /// Memory goes from CRIU on the source to `criu page-server` on the target while it dumps; the
    /// other images follow through tar. The best stop and copy that can be had by hand.
    static let pageServer = byHand(
        listen: """
            background pages $criu page-server --images-dir $images --log-file page-server.log \\
                --address $own --port 9988
            listening 9988
            """,
        checkpoint: "--page-server $other:9988",
        arrived: "ended pages")
}
