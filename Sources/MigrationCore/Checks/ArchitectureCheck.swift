/// Programs and process images are made for one architecture, so both hosts need the same.
struct ArchitectureCheck: Check {
    let name = "architecture"

    func findings(in comparison: Comparison) -> [Finding] {
        let (source, target) = (comparison.source.architecture, comparison.target.architecture)
        guard source != target else { return [] }
        return [
            Finding(
                name,
                cause: "the source is \(source.prefix(40)), the target is \(target.prefix(40))",
                cure: "choose a target of the same architecture"
            )
        ]
    }
}
