/// One rule that must hold before an instance moves, in a file of its own.
///
/// Checks are pure over facts, so all of them run before anything happens and all findings appear
/// at once.
package protocol Check: Sendable {
    /// The stable word under which the documentation lists the rule.
    var name: String { get }
    func findings(in comparison: Comparison) -> [Finding]
}

/// Two hosts and the instance that wants to go from one to the other.
package struct Comparison: Equatable, Sendable {
    package var source: HostFacts
    package var target: HostFacts
    package var definition: InstanceDefinition
    package var instance: InstanceFacts
    package var options: MoveOptions

    package init(
        source: HostFacts,
        target: HostFacts,
        definition: InstanceDefinition,
        instance: InstanceFacts,
        options: MoveOptions
    ) {
        self.source = source
        self.target = target
        self.definition = definition
        self.instance = instance
        self.options = options
    }
}

/// Something that a check found, with its cause and its cure.
package struct Finding: Codable, Hashable, Sendable, CustomStringConvertible {
    package enum Weight: String, Codable, Sendable {
        /// The move would fail or harm the instance: it does not start.
        case refusal
        /// The move can go on; the operator should know.
        case warning
    }

    package let check: String
    package let weight: Weight
    package let cause: String
    package let cure: String

    package init(_ check: String, _ weight: Weight = .refusal, cause: String, cure: String) {
        self.check = check
        self.weight = weight
        self.cause = cause
        self.cure = cure
    }

    package var description: String { "\(check): \(cause)\n    → \(cure)" }
}
