package import MigrationCore

/// Where the instance is after a move that did not succeed, on both hosts, as far as this host
/// knows.
///
/// - Parameters:
///   - view: the instance as this host sees it now; nil if it has none of that name.
///   - error: how the move ended.
package func outcomeText(_ request: MoveRequest, view: InstanceView?, error: GodwitError) -> String
{
    let name = request.name.text
    let there = request.newName?.text ?? name
    guard error.code != .custodyUndecided else {
        return """
            \(name) is frozen here until \(request.remote) answers: it may hold \(there).
              → bring \(request.remote) back; if it is gone for good, `godwit resolve \(name)`
            """
    }
    guard let view else {
        return "this host has no \(name) now; ask \(request.remote) with `godwit list` there"
    }
    let here = "\(name) is \(statusText(view)) on this host"
    return view.migration == nil
        ? "\(here), and \(request.remote) has given up what it had of it"
        : "\(here); the migration is being cleaned up"
}
