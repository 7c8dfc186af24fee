/// An instance that is bound to processors needs these on the target.
struct ProcessorSetCheck: Check {
    let name = "cpuset"

    func findings(in comparison: Comparison) -> [Finding] {
        guard let wanted = comparison.definition.limits.cpuset,
            let online = comparison.target.processors, !wanted.numbers.isSubset(of: online.numbers)
        else { return [] }
        return [
            Finding(
                name,
                cause: "the instance is bound to processors \(wanted), the target has \(online)",
                cure: "choose a target with as many, or start the instance with another cpuset"
            )
        ]
    }
}
