"""Does the number of rows in a turn follow what a turn takes?"""

from __future__ import annotations

from app.services.pace import LONGEST_TURN, Pace


def test_it_grows_slowly_while_turns_are_short_and_never_beyond_its_bound():
    pace = Pace(least=1, first=8, most=12)
    sizes = []
    for _ in range(6):
        pace.took(LONGEST_TURN / 10, pace.size)
        sizes.append(pace.size)
    assert sizes == [9, 10, 11, 12, 12, 12]


def test_a_turn_that_took_too_long_makes_the_next_ones_smaller_but_for_the_least():
    pace = Pace(least=4, first=27)
    sizes = []
    for _ in range(7):
        pace.took(LONGEST_TURN * 2, pace.size)
        sizes.append(pace.size)
    assert sizes == [18, 12, 8, 5, 4, 4, 4]


def test_a_turn_that_was_about_a_few_says_nothing_about_many():
    pace = Pace(least=1, first=8)
    pace.took(0.0001, 1)
    assert pace.size == 8


def test_it_knows_how_long_the_turn_was_held_in_all():
    pace = Pace()
    pace.took(0.25, 1)
    pace.took(0.5, 1)
    assert pace.held == 0.75
