"""A data-protection impact assessment of a plan, as far as the plan determines it.

The order is that of article 35(7) of the General Data Protection Regulation (Regulation
(EU) 2016/679): what is done, why so and not less, what may go wrong for people, what is
done against it. The rest is blank and marked as blank: which data, which law, how bad,
who decides. No document made here says that a processing is lawful.
"""

from fednet.exports.assessment.writing import BLANK, write_assessment

__all__ = ["BLANK", "write_assessment"]
