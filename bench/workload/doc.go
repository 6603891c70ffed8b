// Package workload makes routing tables and addresses to look up, the same
// ones everywhere, so that figures can be compared and failures repeated.
//
// There are four kinds of tables, those by which the article "IPv6 route lookup
// on Linux" (Vincent Bernat, 2017) compares kernels: the Internet's, /48s at
// even distances, hosts at random in one /108, and the almost empty one; and
// five loads: addresses in routes drawn at random, by Zipf's law, again and
// again the same few, and such that miss, by far or narrowly. Read takes a real
// table instead.
//
// Tables of the first kind resemble the Internet's. A tree of prefixes is grown from
// frequencies learnt from a real full table of 160,147 prefixes (model.json,
// made by internal/calibrate): where registries have populated /24s and how
// densely, and how likely a node of the tree is to be a prefix, to end, or to
// branch, given its depth and what is just above it. How near that comes, seed
// 1, both with 160,147 prefixes:
//
//	                       real    grown
//	/48                    47.1%   46.3%
//	/32                    14.1%   15.1%
//	/44                     9.0%    9.0%
//	/40                     8.4%    8.1%
//	within no other        43.1%   43.9%
//	within 1 other         37.7%   40.1%
//	within 2, 3 others     15.1, 3.4%   12.2, 3.1%
//	populated /20s            617      622
//	populated /28s         18,851   19,897
//	populated /36s         19,994   21,686
//	populated /44s         39,661   41,543
//
// (A /k is populated if it has a prefix at it or below.) So a grown tree has up
// to a sixth more nodes in its middle, and a few prefixes nest less deeply: the
// two networks that announce thousands of /32s inside one /20 are not modeled.
// Nor is which next hop a prefix has.
package workload
