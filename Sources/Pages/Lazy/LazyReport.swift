/// What serving an instance's pages has come to.
package struct LazyReport: Equatable, Sendable {
    /// Address spaces that CRIU handed over, and those that forks have added.
    package var tasks = 0
    package var forks = 0
    /// Faults that were answered.
    package var faults = 0
    /// Pages with content, by what made them placed.
    package var pagesByFault = 0
    package var pagesInBackground = 0
    /// Pages that were asked for and have no content.
    package var zeroPages = 0
    /// Pages that were there before: CRIU had them in its images.
    package var pagesThere = 0
    /// Pages with no place any more.
    package var pagesDropped = 0
    /// Pages not yet placed.
    package var pagesLeft = 0
    /// From CRIU's word that all tasks stand to the last page.
    package var milliseconds = 0.0
}
