/// A host knows each instance by one name, and only so many of them.
struct NameCheck: Check {
    let name = "name"

    func findings(in comparison: Comparison) -> [Finding] {
        let taken = comparison.target.instanceNames
        let wanted = comparison.newName.text
        if taken.contains(wanted) {
            return [
                Finding(
                    name,
                    cause: "the target has an instance \(wanted) already",
                    cure: "move to another name with --rename, or rename or delete that instance"
                )
            ]
        }
        guard taken.count >= Limit.instances else { return [] }
        return [
            Finding(
                name,
                cause: "the target holds \(taken.count) instances and takes no more",
                cure: "delete instances there, or choose another target"
            )
        ]
    }
}
