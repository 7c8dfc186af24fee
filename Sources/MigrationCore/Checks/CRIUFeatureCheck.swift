/// What CRIU can do depends on the kernel under it; it says so itself (`criu check`).
struct CRIUFeatureCheck: HostCheckable {
    let name = "criu-features"

    /// Without these a restore of images that hold them fails.
    static let needed: Set<String> = ["timens", "tcp_half_closed", "userns", "clone3_set_tid"]
    /// Without these a restore comes out poorer: buffer sizes, huge pages, bound addresses.
    static let wished: Set<String> = [
        "get_rseq_conf", "ipv6_freebind", "memfd_hugetlb", "sockopt_buf_lock", "cgroupns",
    ]

    func findings(in comparison: Comparison) -> [Finding] {
        guard comparison.isLive, let source = comparison.source.criu,
            let target = comparison.target.criu
        else { return [] }
        let lost = source.features.subtracting(target.features)
        return findings(aboutBoth: comparison)
            + finding(.refusal, lost.intersection(Self.needed))
            + finding(.warning, lost.intersection(Self.wished))
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard let criu = host.criu, !criu.features.contains(ToolFacts.checkPassed) else {
            return []
        }
        return [
            Finding(
                name,
                cause: "`criu check` finds that the kernel of \(place.text) lacks what CRIU needs",
                cure: "run `criu check` there as root and see what it names"
            )
        ]
    }

    private func finding(_ weight: Finding.Weight, _ features: Set<String>) -> [Finding] {
        guard !features.isEmpty else { return [] }
        return [
            Finding(
                name,
                weight,
                cause: "CRIU on the target lacks \(listed(features)), which the source's has",
                cure: "give the target the source's kernel and CRIU, or newer ones"
            )
        ]
    }
}
