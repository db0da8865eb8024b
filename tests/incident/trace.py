#!/usr/bin/env python3
"""The incident's night as samples for `headroom governor replay`: trace.py > night.csv"""


def incident():
    """Ten hours at 91 % of the card, then four minutes of neighbours, spilling and swapping."""
    rows = ["time_s,vram_used_mib,vram_total_mib,vram_others_mib,rss_mb,swap_mb,psi_full"]
    for minute in range(0, 10 * 60 + 55):
        rows.append(f"{minute * 60},3740,4096,140,789.7,0,0")
    for second in range(240):
        share = min(1, second / 60)
        rows.append(
            f"{39300 + second},{3740 + 356 * share:.0f},4096,{140 + 356 * share:.0f},"
            f"{789.7 + 5210.3 * share:.1f},{1300 * share:.0f},{30 * share:.1f}"
        )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(incident(), end="")
